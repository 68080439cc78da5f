import stand_in as lib

lib.broken()
