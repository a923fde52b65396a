"""`python -m landed` is `landed`."""

from landed.cli import main

if __name__ == "__main__":
    main()
