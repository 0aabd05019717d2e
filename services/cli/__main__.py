"""`python -m services.cli`: the same as `reconecta`, for processes that start another one."""

from services.cli.main import main

main()
