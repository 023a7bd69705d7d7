"""Second factors: authenticators, passkeys and backup codes of the officers."""

from .enrolment import begin_enrolment, may_enrol

__all__ = ["begin_enrolment", "may_enrol"]
