"""`/_sim`: what is known, was told and will come in the simulated world, and how it is changed, over HTTP."""
