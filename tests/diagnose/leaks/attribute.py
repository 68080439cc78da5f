"""The attribute of an object in the attribute of an object."""


class State:
    h = None


class Model:
    def __init__(self):
        self.state = State()
        self.spare = State()

    def __call__(self, x):
        self.state.h = x * 2  # direct

    def through_method(self, x):
        self.keep(x * 2)

    def keep(self, y):
        setattr(self.state, "h", y)  # helper  # noqa: B010 - what users write

    def into_spare(self, x):
        self.spare.h = x * 2  # moved


model = Model()


def direct(x):
    model(x)


def helper(x):
    model.through_method(x)


def moved(x):
    model.into_spare(x)


def move():
    model.state, model.spare = model.spare, State()
