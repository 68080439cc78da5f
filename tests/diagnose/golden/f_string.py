import stand_in as lib

a, b = lib.Value(2), lib.Value(3)
print(f"the sum is {a + b} and more")
