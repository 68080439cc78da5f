# ruff: noqa: W191
import stand_in as lib


def forward(a, b):
	if True:
		c =	a + b	# tabs
		return c


forward(lib.Value(4), lib.Value(5))
