package peer; class X {}
