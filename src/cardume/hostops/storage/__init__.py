"""Storage on this host: one interface (`driver.py`), one module for each SR type."""
