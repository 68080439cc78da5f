import stand_in as lib

table = {"first": lib.Value(2, 3), "second": lib.Value(3, 4), "third": lib.Value(4, 5), "fourth": lib.add(lib.Value(2), lib.Value(3)), "fifth": lib.Value(6), "sixth": lib.Value(7)}  # noqa: E501
