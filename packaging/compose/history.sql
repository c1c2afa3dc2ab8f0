CREATE DATABASE history OWNER clockwright;
