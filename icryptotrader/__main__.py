"""`python -m icryptotrader` is the `icryptotrader` command."""

from icryptotrader.entry import icryptotrader

if __name__ == "__main__":
    icryptotrader()
