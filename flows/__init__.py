"""The shell: the clock, the environment, Prefect, the command line and its exit codes."""
