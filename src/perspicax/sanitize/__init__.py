"""What finds the bugs that run silently; each on or off by the configuration."""
