"""QR-DQN over placements: `config`, `replay` (decisions kept), `train`."""
