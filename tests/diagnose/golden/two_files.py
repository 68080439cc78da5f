import _helper
import stand_in as lib

kept = []
lib.keep(kept, _helper.make(3))
kept[0] + kept[0]
