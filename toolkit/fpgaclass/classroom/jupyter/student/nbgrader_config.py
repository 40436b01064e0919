"""nbgrader for a student: fetch, submit and fetch feedback, with the student's own boxes as the exchange."""

import os

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.CourseDirectory.course_id = os.environ["FPGACLASS_COURSE"]
c.CourseDirectory.student_id = os.environ["JUPYTERHUB_USER"]
c.Exchange.root = os.environ["FPGACLASS_EXCHANGE"]
