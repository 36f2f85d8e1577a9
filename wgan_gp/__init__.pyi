"""The public names, and where each comes from: read at run time as well, by `lazy_loader`."""

from .callbacks.checkpoint import Checkpoint as Checkpoint
from .callbacks.history import HistoryFile as HistoryFile
from .callbacks.monitor import Monitor as Monitor
from .callbacks.quality import Quality as Quality
from .callbacks.stopping import StopAtNaN as StopAtNaN
from .config import Config as Config
from .data.holdout import held_out_images as held_out_images
from .data.images import load_images as load_images
from .data.stream import make_dataset as make_dataset
from .export.litert import export_litert as export_litert
from .export.onnx import export_onnx as export_onnx
from .export.saved_model import export_saved_model as export_saved_model
from .metrics.evaluation import evaluate as evaluate
from .metrics.features import load_feature_network as load_feature_network
from .metrics.keras_metric import SetMetric as SetMetric
from .model import WGANGP as WGANGP
from .model import build_model as build_model
from .networks import build_critic as build_critic
from .networks import build_critic_features as build_critic_features
from .networks import build_generator as build_generator
from .objective import gradient_penalty as gradient_penalty
from .pictures import image_grid as image_grid
from .runs.pretrained import load_pretrained as load_pretrained
from .runs.run import resume as resume
from .runs.run import train as train
from .sampling import generate_images as generate_images
from .support.errors import DivergedError as DivergedError
from .support.errors import InputError as InputError
from .support.errors import Interrupted as Interrupted

__version__: str
