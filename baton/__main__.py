"""Start the command line."""


def main() -> None:
    """Run the command line."""
    from baton.command_line import app

    app()


if __name__ == "__main__":
    main()
