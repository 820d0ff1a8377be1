"""How persistently sales has to try to reach a lead. Pure."""
