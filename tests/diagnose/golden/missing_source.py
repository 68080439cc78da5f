import stand_in as lib

exec(compile("def forward(a, b):\n    return a + b\n", "<generated>", "exec"))
forward(lib.Value(8, 32), lib.Value(8))  # noqa: F821
