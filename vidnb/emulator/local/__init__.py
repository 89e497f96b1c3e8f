"""The emulated job server of a graphics card of one's own: for lessons and tests on machines without one."""
