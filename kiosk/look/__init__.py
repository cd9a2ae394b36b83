"""Looking at pictures: what is in them, and what a door or an enrolment would say to it."""
