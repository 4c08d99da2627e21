"""The JSON of a benchmark, as `gaitgl bench --against` reads it."""
import json
import resource


def write(arguments, cases, device="cpu", device_bytes=None):
    """To the file `arguments.json`, or to the screen."""
    report = {
        "cases": cases,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "device_bytes": device_bytes,
        "threads": arguments.threads,
        "device": device,
        "precision": arguments.precision,
    }
    text = json.dumps(report, indent=2)
    if arguments.json:
        with open(arguments.json, "w") as file:
            file.write(text + "\n")
    else:
        print(text)
