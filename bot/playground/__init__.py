"""The playground: the real bot beside a simulated Discord, in the browser. Loaded only where it is started."""
