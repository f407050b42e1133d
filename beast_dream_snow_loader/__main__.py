"""``python -m beast_dream_snow_loader``."""

from beast_dream_snow_loader.cli.main import run

if __name__ == "__main__":
    run()
