"""`python -m wgan_gp` is the command `wgan-gp`."""

from wgan_gp.cli.main import main

main()
