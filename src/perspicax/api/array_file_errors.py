"""Errors of arrays on disk."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["ArrayFileError", "CommitError", "NoSavedTreeError", "SaveFolderError"]

_WAITED = ("a storage that does not answer is asked again, after pauses that grow, for about 40 s; tensorstore tells above "
           "what became of the last attempt")
_REACH = Fix("look whether the address is spelt right, and whether this machine reaches it")


class ArrayFileError(PerspicaxError, ValueError, TypeError):  # JAX raises the one or the other
    """An array cannot be written to disk, or read from it, as asked.

    Attributes:
        kind: "bucket" or "database" (the path lacks a part), "array" (it is none), "keys", "sharding" (it is none), "rank",
            "lengths" (of the arguments), "read", "write", "local" (each process has one of its own), "leaves" (of a tree are
            no arrays), "description" (of a tree cannot be read), "remote" (tensorstore cannot go to an address), "folder read"
            or "folder write" (of a folder at an address), "no answer" (from there).
        path: where the array is, or would be.
        detail: what was given (of an object its class), or what tensorstore says.
        leaves: of "leaves", the places of those that are no arrays, and their classes.
    """

    kind: str
    path: str
    detail: str = ""
    leaves: tuple[tuple[str, str], ...] = ()

    @property
    def unreachable(self) -> bool:
        """Whether a storage did not answer, though it was asked again and again."""
        return "retry attempts failed" in self.detail

    @property
    def report(self) -> Report:
        match self.kind:
            case "bucket":
                return Report(says=f"{self.path!r} names no bucket and path.", why="a remote path is `gs://bucket/path`")
            case "database":
                return Report(says=f"{self.path!r} lacks a folder or a name.",
                              why="with `ocdbt=True`, the last part of the path is the array's name in the database that the "
                                  "folder before it holds")
            case "array":
                return Report(says=f"An object of class `{self.detail}` was to be saved as an array over devices.",
                              why="how it is spread over devices and processes says who writes which part",
                              fixes=(Fix("put it on a device", code="jax.device_put(x)"),))
            case "keys":
                return Report(says=f"A {self.detail} cannot be saved: random keys are no numbers.",
                              why="a file holds the numbers that keys consist of",
                              fixes=(Fix("save these", code="jax.random.key_data(keys)"),
                                     Fix("and make keys of them again", code="jax.random.wrap_key_data(data)")))
            case "sharding":
                return Report(says=f"An object of class `{self.detail}` stands where a sharding is needed, for the array at "
                                   f"{self.path!r}.", why="it says on which devices the array shall be")
            case "rank":
                return Report(says=f"The array at {self.path!r} has another number of axes than asked for: {self.detail}.",
                              why="a shape may be larger or smaller than that on disk, but not of other axes")
            case "lengths":
                return Report(says=f"There are {self.detail}.", why="there is one for each array")
            case "local":
                return Report(says=f"A {self.detail} that lies in this process alone was to be saved by several processes.",
                              why="each process has one of its own, and all would be written to the same place",
                              fixes=(Fix("make them one array, if all have the same values",
                                         code="multihost_utils.host_local_array_to_global_array(x, mesh, jax.P())"),))
            case "leaves":
                shown = "; ".join([f"`data{path}` is of class `{kind}`" for path, kind in self.leaves[:6]])
                more = f"; so are {len(self.leaves) - 6} more" if len(self.leaves) > 6 else ""
                return Report(says=f"A tree is saved whose leaves are not all arrays over devices: {shown}{more}.",
                              why="a leaf is an array, or `None`",
                              fixes=(Fix("make arrays of them", code="jax.tree.map(jax.numpy.asarray, data)"),))
            case "description":
                return Report(says=f"The description of a tree at {self.path!r} cannot be read: {self.detail.rstrip('.')}.",
                              why="it says which structure the arrays are put into; it is damaged, or of another program")
            case "remote":
                return Report(says=f"A tree cannot be saved to, or loaded from, {self.path!r}: {self.detail.rstrip('.')}.",
                              why="addresses are those of tensorstore's key-value stores: `gs://bucket/path`, "
                                  "`s3://bucket/path`, `memory://path`, or a path of the file system")
            case "no answer":
                return Report(says=f"Nothing answers at {self.path!r}: it was waited for {self.detail}.",
                              why="what a storage holds, and the description of a tree, are small; what took the connection "
                                  "does not answer, or the network loses what is sent", fixes=(_REACH,))
            case "folder read" | "folder write":
                doing = "loaded from" if self.kind == "folder read" else "saved to"
                if self.unreachable:
                    return Report(says=f"A tree cannot be {doing} {self.path!r}, which cannot be reached: "
                                       f"{self.detail.rstrip('.')}.", why=_WAITED, fixes=(_REACH,))
                return Report(says=f"A tree cannot be {doing} {self.path!r}: {self.detail.rstrip('.')}.",
                              why="tensorstore cannot read or write there; it looks for credentials where the storage's own "
                                  "tools do")
        doing = "read" if self.kind == "read" else "written"
        return Report(says=f"The array at {self.path!r} cannot be {doing}: {self.detail.rstrip('.')}.",
                      why=_WAITED if self.unreachable else "", fixes=(_REACH,) if self.unreachable else ())


class CommitError(PerspicaxError, RuntimeError):
    """Arrays of several processes were not saved, since a process could not write its part.

    Attributes:
        process: the process.
        reason: what went wrong there.
    """

    process: int
    reason: str

    @property
    def report(self) -> Report:
        return Report(says=f"The arrays were not saved: process {self.process} could not write its part: {self.reason}.",
                      why="a save counts only when all processes have written theirs; what was saved before is as it was")


class NoSavedTreeError(PerspicaxError, FileNotFoundError, AssertionError):
    """There is no saved tree at a path, or no folder that one could be saved in.

    Attributes:
        path: the folder.
        kind: "folder" (there is none), "description" (it has no `pytreedef.json`), "parent" (of the folder to be made).
    """

    path: str
    kind: str

    @property
    def report(self) -> Report:
        match self.kind:
            case "folder":
                return Report(says=f"There is no saved tree at {self.path!r}: the folder does not exist.",
                              why="`save` makes a folder of that name")
            case "description":
                return Report(says=f"There is no saved tree at {self.path!r}: the folder has no file `pytreedef.json`.",
                              why="that file tells which arrays there are, and how they belong together")
        return Report(says=f"A tree cannot be saved at {self.path!r}: the folder in which that would be made does not exist.",
                      why="one folder is made, not those above it",
                      fixes=(Fix("make them first", code="os.makedirs(os.path.dirname(directory), exist_ok=True)"),))


class SaveFolderError(PerspicaxError, RuntimeError, ValueError, NotADirectoryError):
    """A tree was to be saved where something is that is not to be replaced.

    Attributes:
        path: the folder.
        kind: "exists" (and `overwrite=False`), "foreign" (it holds what belongs to no saved tree), "file" (it is no folder).
        found: of "foreign", the names.
    """

    path: str
    kind: str
    found: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        match self.kind:
            case "exists":
                return Report(says=f"{self.path!r} is not empty, and `overwrite=False`.",
                              why="a save makes the folder, or replaces what was saved there before",
                              fixes=(Fix("replace it", code="save(data, directory, overwrite=True)"),
                                     Fix("take another folder for each save")))
            case "file":
                return Report(says=f"A tree cannot be saved at {self.path!r}: that is a file.", why="a saved tree is a folder")
        shown = ", ".join([repr(name) for name in self.found[:6]])
        more = f" and {len(self.found) - 6} more" if len(self.found) > 6 else ""
        return Report(says=f"{self.path!r} was to be replaced by a saved tree, but holds other things: {shown}{more}.",
                      why="a save replaces only what an earlier one has made (`pytreedef.json` and `array_store`)",
                      fixes=(Fix("save to a folder of its own"), Fix("take away what is not needed")))
