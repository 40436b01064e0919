"""nbgrader for a student: fetch, submit and fetch feedback, through the class's exchange."""

import os

from fpgaclass.classroom.nbgrader_course import configure_exchange

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.CourseDirectory.course_id = os.environ["FPGACLASS_COURSE"]
configure_exchange(c, os.environ["FPGACLASS_EXCHANGE"])
