"""Many recordings at once: side by side, resumable, and one that is bad stops no other."""

from ecglens.batch.names import folder_names
from ecglens.batch.pace import Step
from ecglens.batch.run import predict_files
from ecglens.batch.work import BatchSettings, RecordingResult

__all__ = ["BatchSettings", "RecordingResult", "Step", "folder_names", "predict_files"]
