"""`python -m chatkit_reducer` is the program `chatkit-reducer`."""

from chatkit_reducer.cli import main

if __name__ == "__main__":
    main()
