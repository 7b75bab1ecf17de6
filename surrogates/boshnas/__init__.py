"""BOSHNAS: Bayesian optimisation with second-order search and a heteroscedastic model."""
