"""`python -m icryptotrader` is the `icryptotrader` command."""

from icryptotrader.cli import main

if __name__ == "__main__":
    main()
