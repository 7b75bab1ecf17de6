"""`python -m nas` is the command `nas`."""

from nas.cli.main import main

if __name__ == "__main__":
    main()
