"""One process of each gateway host: follows the control plane, hands out limits, ships what was used."""
