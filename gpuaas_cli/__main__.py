"""``python -m gpuaas_cli``."""

from gpuaas_cli.entry import main

main()
