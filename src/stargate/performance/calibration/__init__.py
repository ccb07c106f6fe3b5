"""How the constants of the formulas are fitted, kept and looked up. Formulas live beside this folder."""
