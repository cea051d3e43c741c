"""Reports: what a run came to, written for people and machines. Nothing here judges anew."""
