"""Runs scripts that come as JSON lines, each with clients of its own, and answers with what they print."""
import contextlib
import io
import json
import sys
import traceback

import boto3

UNSEEN = ["NoSuchBucket", "AWS.SimpleQueueService.NonExistentQueue"]


def patient(response, attempts, **_):
    """What is new is seen a little late."""
    code = response[1].get("Error", {}).get("Code") if response else None
    return 0.05 if code in UNSEEN and attempts < 5 else None


for line in sys.stdin:
    job = json.loads(line)

    def client(name, region="eu-west-1", job=job):
        made = boto3.client(name, region_name=region, endpoint_url=job["endpoint"],
                            aws_access_key_id=job["account"], aws_secret_access_key=job["secret"])
        made.meta.events.register_first("needs-retry", patient)
        return made

    class Lazy:
        def __init__(self, name):
            self.name = name

        def __getattr__(self, attribute):
            self.__dict__.update({"client": client(self.name)})
            self.__class__ = type("Made", (), {"__getattr__": lambda made, name: getattr(made.__dict__["client"], name)})
            return getattr(self.__dict__["client"], attribute)

    printed, failed = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(printed):
            exec(job["script"], {"boto3": boto3, "json": json, "client": client,
                                 "s3": Lazy("s3"), "sqs": Lazy("sqs"), "iam": Lazy("iam")})
    except Exception:
        failed = traceback.format_exc()
    print(json.dumps({"printed": printed.getvalue(), "failed": failed}), flush=True)
