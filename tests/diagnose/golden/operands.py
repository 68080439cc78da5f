import stand_in as lib


def forward(hidden, bias):
    return lib.run(abs, hidden + bias)


forward(lib.Value(8, 32), lib.Value(8))
