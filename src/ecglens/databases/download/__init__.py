"""Files of public databases over HTTPS, whole and checked or not there."""

from ecglens.databases.download.checking import Finding, check_database
from ecglens.databases.download.job import Fetched, fetch_database
from ecglens.databases.download.progress import Progress
from ecglens.databases.download.transport import Patience

__all__ = [
    "Fetched",
    "Finding",
    "Patience",
    "Progress",
    "check_database",
    "fetch_database",
]
