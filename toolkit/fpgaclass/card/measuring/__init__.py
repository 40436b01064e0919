"""Where the time of a call goes, the model of the link, and runs of different places side by side."""
