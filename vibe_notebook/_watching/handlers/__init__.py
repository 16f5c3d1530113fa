"""Accept the events that an SDK pushes into an object of the user's."""
