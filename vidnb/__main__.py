"""`python -m vidnb` is the `vidnb` command."""

from vidnb.cli import main

if __name__ == "__main__":
    main()
