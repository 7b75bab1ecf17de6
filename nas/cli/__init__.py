"""The command line, one file a group of commands; each is imported when it is called."""
