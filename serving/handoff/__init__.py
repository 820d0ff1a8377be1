"""The handoff both teams signed: playbook, policy, routing, packet, clocks, pursuit, returns, oversight."""
