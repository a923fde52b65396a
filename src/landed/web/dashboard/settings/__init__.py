"""/settings: who may do what, and how Landed itself is doing."""
