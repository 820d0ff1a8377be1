"""Lead → MQL → SAL → SQL → won or lost, returned: the stages and how histories replay. Pure."""
