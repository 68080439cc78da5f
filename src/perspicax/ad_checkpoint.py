"""What a function keeps for its derivative: `jax.ad_checkpoint`."""
from perspicax.api.remat import checkpoint_name as checkpoint_name
from perspicax.api.remat import print_saved_residuals as print_saved_residuals
from perspicax.api.remat_policies import checkpoint_policies as checkpoint_policies
from perspicax.transform.remat_split import Offloadable as Offloadable
from perspicax.transform.remat_split import Recompute as Recompute
from perspicax.transform.remat_split import Saveable as Saveable

__all__ = ["Offloadable", "Recompute", "Saveable", "checkpoint_name", "checkpoint_policies", "print_saved_residuals"]
