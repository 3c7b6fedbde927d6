"""The process ring of the crash proof: a real `up`, a Discord in another process, and `kill -9`.

`life.py` is one process from start to end, read line by line; `house.py` the data folder, the Discord and the lives
that come and go there; `remains.py` what a killed process left on disk; `windows.py` decides from log, disk and
Discord's own records in which window a kill struck; `aims.py` brings a process to a window and kills it there;
`accounts.py` counts what was lost or doubled. Only kills whose window is proven are counted.
"""
