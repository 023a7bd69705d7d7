"""A pytest plugin: gives the tests a data folder of their own before Django reads its settings."""

import atexit
import os
import shutil
import tempfile

for name in ("BELFRY_ADDRESS", "BELFRY_DEMO", "BELFRY_CHANNELS_FILE", "REDIS_URL", "SECRET_KEY", "EMAIL_URL"):
    os.environ.pop(name, None)
DATA = tempfile.mkdtemp(prefix="belfry-test-")
os.environ["BELFRY_DATA"] = DATA
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
