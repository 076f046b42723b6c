"""Whether a report of test cases has the structure that readers of JUnit's XML expect."""
import os
import re
import xml.etree.ElementTree as tree

# Element: children, attributes that must be there, attributes that may.
FORM = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors", "skipped", "disabled"}),
    "testsuite": (
        {"properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package", "file", "disabled"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, set()),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"},
        {"name", "classname", "time"},
        {"file", "line"},
    ),
    "skipped": (set(), set(), {"type", "message"}),
    "failure": (set(), set(), {"type", "message"}),
    "error": (set(), set(), {"type", "message"}),
    "system-out": (set(), set(), set()),
}


def judge(element):
    children, must, may = FORM[element.tag]
    found = set(element.attrib)
    assert must <= found <= must | may, (element.tag, found)
    for child in element:
        assert child.tag in children, (element.tag, child.tag)
        judge(child)
    assert "time" not in found or re.fullmatch(r"[0-9]+(\.[0-9]*)?", element.get("time")), element.get("time")


report = tree.fromstring(os.environ["REPORT"])
assert report.tag == "testsuites", report.tag
judge(report)
for suite in report:
    cases = suite.findall("testcase")
    count = lambda kind: sum(case.find(kind) is not None for case in cases)
    counted = [suite.get("tests"), suite.get("failures"), suite.get("errors")]
    assert counted == [str(len(cases)), str(count("failure")), str(count("error"))], counted
    assert int(suite.get("skipped", 0)) == count("skipped"), suite.get("skipped")
