# Turns a text file into a C string literal, a line a line, to be included.
#   cmake -DINPUT=<file> -DOUTPUT=<file.inc> -P embed_text.cmake
cmake_minimum_required(VERSION 3.25)
file(READ ${INPUT} text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n\"" text "${text}")
file(WRITE ${OUTPUT} "\"${text}\"\n")
